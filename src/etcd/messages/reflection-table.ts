import { bytes, int32, message, nested, oneof, repeated, string } from './schema.ts';

/** The messages of grpc.reflection.v1 and v1alpha, which differ in their package only. Source: grpc's reflection.proto. */
export function reflectionMessages(version: 'v1' | 'v1alpha') {
  const pkg = `grpc.reflection.${version}`;
  const ExtensionRequest = message(`${pkg}.ExtensionRequest`, {
    containing_type: string(1),
    extension_number: int32(2),
  });
  const Request = message(`${pkg}.ServerReflectionRequest`, {
    host: string(1),
    file_by_filename: oneof('message_request', string(3)),
    file_containing_symbol: oneof('message_request', string(4)),
    file_containing_extension: oneof('message_request', nested(5, ExtensionRequest)),
    all_extension_numbers_of_type: oneof('message_request', string(6)),
    list_services: oneof('message_request', string(7)),
  });
  const FileDescriptorResponse = message(`${pkg}.FileDescriptorResponse`, {
    file_descriptor_proto: repeated(bytes(1)),
  });
  const ExtensionNumberResponse = message(`${pkg}.ExtensionNumberResponse`, {
    base_type_name: string(1),
    extension_number: repeated(int32(2)),
  });
  const ServiceResponse = message(`${pkg}.ServiceResponse`, { name: string(1) });
  const ListServiceResponse = message(`${pkg}.ListServiceResponse`, { service: repeated(nested(1, ServiceResponse)) });
  const ErrorResponse = message(`${pkg}.ErrorResponse`, { error_code: int32(1), error_message: string(2) });
  const Response = message(`${pkg}.ServerReflectionResponse`, {
    valid_host: string(1),
    original_request: nested(2, Request),
    file_descriptor_response: oneof('message_response', nested(4, FileDescriptorResponse)),
    all_extension_numbers_response: oneof('message_response', nested(5, ExtensionNumberResponse)),
    list_services_response: oneof('message_response', nested(6, ListServiceResponse)),
    error_response: oneof('message_response', nested(7, ErrorResponse)),
  });
  return { Request, Response };
}
