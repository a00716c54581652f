import { bool, int32, message, nested, oneof, repeated, string } from './schema.ts';

/**
 * Messages that describe messages, as far as ours need describing. They are proto2, where a 0 that was said is not the
 * same as nothing: hence the oneofs of one. Source: google/protobuf/descriptor.proto.
 */
const said = oneof('said', int32(9));

export const FieldDescriptor = message('google.protobuf.FieldDescriptorProto', {
  name: string(1),
  number: int32(3),
  label: int32(4),
  type: int32(5),
  type_name: string(6),
  oneof_index: said,
  json_name: string(10),
});

const EnumValueDescriptor = message('google.protobuf.EnumValueDescriptorProto', {
  name: string(1),
  number: oneof('said', int32(2)),
});
export const EnumDescriptor = message('google.protobuf.EnumDescriptorProto', {
  name: string(1),
  value: repeated(nested(2, EnumValueDescriptor)),
});

const OneofDescriptor = message('google.protobuf.OneofDescriptorProto', { name: string(1) });
export const MessageDescriptor = message('google.protobuf.DescriptorProto', {
  name: string(1),
  field: repeated(nested(2, FieldDescriptor)),
  enum_type: repeated(nested(4, EnumDescriptor)),
  oneof_decl: repeated(nested(8, OneofDescriptor)),
});

export const MethodDescriptor = message('google.protobuf.MethodDescriptorProto', {
  name: string(1),
  input_type: string(2),
  output_type: string(3),
  client_streaming: bool(5),
  server_streaming: bool(6),
});
export const ServiceDescriptor = message('google.protobuf.ServiceDescriptorProto', {
  name: string(1),
  method: repeated(nested(2, MethodDescriptor)),
});

export const FileDescriptor = message('google.protobuf.FileDescriptorProto', {
  name: string(1),
  package: string(2),
  dependency: repeated(string(3)),
  message_type: repeated(nested(4, MessageDescriptor)),
  enum_type: repeated(nested(5, EnumDescriptor)),
  service: repeated(nested(6, ServiceDescriptor)),
  syntax: string(12),
});
