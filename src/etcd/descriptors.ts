import type { ApiMethod } from './messages/api.ts';
import { FileDescriptor } from './messages/descriptor-table.ts';
import type { AnyMessage, EnumType, Field, Value } from './messages/schema.ts';

type Partially<T> = { readonly [Name in keyof T]?: T[Name] };
type FileValue = Partially<Value<typeof FileDescriptor>>;
type MessageValue = NonNullable<FileValue['message_type']>[number];
type FieldValue = NonNullable<MessageValue['field']>[number];
type EnumValue = NonNullable<FileValue['enum_type']>[number];

/** A .proto file, described. */
export interface DescribedFile {
  readonly name: string;
  /** Names of the files that it needs. */
  readonly dependencies: readonly string[];
  /** Full names of all that it declares: messages, enums, services, methods. */
  readonly symbols: readonly string[];
  /** A google.protobuf.FileDescriptorProto. */
  readonly encoded: Uint8Array;
}

/**
 * Describes methods and all their messages as .proto files would, a file for each package, from the tables that encode
 * and decode them: what is described is what is spoken.
 */
export function describedFiles(methods: readonly ApiMethod[]): ReadonlyMap<string, DescribedFile> {
  const drafts = new Map<string, Draft>();
  const draftOf = (pkg: string): Draft => {
    let draft = drafts.get(pkg);
    if (draft === undefined) {
      draft = new Draft(pkg);
      drafts.set(pkg, draft);
    }
    return draft;
  };
  const seen = new Set<string>();
  const addMessage = (type: AnyMessage): void => {
    if (seen.has(type.name)) return;
    seen.add(type.name);
    const draft = draftOf(packageOf(type.name));
    draft.messages.set(type.name, type);
    for (const field of Object.values(type.fields)) {
      if (typeof field.type === 'string') continue;
      const of = typeof field.type === 'function' ? field.type() : field.type;
      draft.needs.add(packageOf(of.name));
      if (typeof field.type === 'function') addMessage(field.type());
      else draftOf(packageOf(of.name)).enums.set(of.name, field.type);
    }
  };
  for (const method of methods) {
    const draft = draftOf(packageOf(method.service));
    for (const type of [method.request, method.response]) {
      draft.needs.add(packageOf(type.name));
      addMessage(type);
    }
    draft.services.set(method.service, [...(draft.services.get(method.service) ?? []), method]);
  }
  return new Map([...drafts.values()].map((draft) => [fileNameOf(draft.pkg), draft.file()]));
}

class Draft {
  readonly pkg: string;
  readonly needs = new Set<string>();
  readonly messages = new Map<string, AnyMessage>();
  readonly enums = new Map<string, EnumType>();
  readonly services = new Map<string, readonly ApiMethod[]>();

  constructor(pkg: string) {
    this.pkg = pkg;
  }

  file(): DescribedFile {
    const name = fileNameOf(this.pkg);
    const dependencies = [...this.needs].filter((pkg) => pkg !== this.pkg).map(fileNameOf);
    const outer = [...this.enums.values()].filter((type) => !this.messages.has(parentOf(type.name)));
    const value: FileValue = {
      name,
      package: this.pkg,
      dependency: dependencies,
      message_type: [...this.messages.values()].map((type) => this.message(type)),
      enum_type: outer.map(described),
      service: [...this.services].map(([service, methods]) => ({
        name: lastOf(service),
        method: methods.map((method) => ({
          name: method.name,
          input_type: `.${method.request.name}`,
          output_type: `.${method.response.name}`,
          client_streaming: method.clientStreams,
          server_streaming: method.serverStreams,
        })),
      })),
      syntax: 'proto3',
    };
    const methods = [...this.services.values()].flat();
    const symbols = [
      ...this.messages.keys(),
      ...this.enums.keys(),
      ...this.services.keys(),
      ...methods.map((method) => `${method.service}.${method.name}`),
    ];
    return { name, dependencies, symbols, encoded: FileDescriptor.encode(value) };
  }

  private message(type: AnyMessage): MessageValue {
    const oneofs = [
      ...new Set(Object.values(type.fields).flatMap(({ oneof }) => (oneof === undefined ? [] : [oneof]))),
    ];
    return {
      name: lastOf(type.name),
      field: Object.entries(type.fields).map(([name, field]) => describedField(name, field, oneofs)),
      enum_type: [...this.enums.values()].filter(({ name }) => parentOf(name) === type.name).map(described),
      oneof_decl: oneofs.map((name) => ({ name })),
    };
  }
}

const TYPES = {
  int64: 3,
  id64: 3,
  uint64: 4,
  int32: 5,
  bool: 8,
  string: 9,
  bytes: 12,
  uint32: 13,
} as const;
const TYPE_MESSAGE = 11;
const TYPE_ENUM = 14;
const LABEL_OPTIONAL = 1;
const LABEL_REPEATED = 3;

function describedField(name: string, { number, type, repeated, oneof }: Field, oneofs: readonly string[]): FieldValue {
  const base = {
    name,
    number,
    label: repeated ? LABEL_REPEATED : LABEL_OPTIONAL,
    json_name: name.replace(/_([a-zA-Z0-9])/g, (_, char: string) => char.toUpperCase()),
    oneof_index: oneof === undefined ? undefined : oneofs.indexOf(oneof),
  };
  if (typeof type === 'string') return { ...base, type: TYPES[type] };
  if (typeof type === 'function') return { ...base, type: TYPE_MESSAGE, type_name: `.${type().name}` };
  return { ...base, type: TYPE_ENUM, type_name: `.${type.name}` };
}

function described({ name, values }: EnumType): EnumValue {
  return { name: lastOf(name), value: values.map((value, number) => ({ name: value, number })) };
}

/** Packages are in lower case, messages are not. */
function packageOf(name: string): string {
  return name
    .split('.')
    .filter((part) => /^[a-z]/.test(part))
    .join('.');
}

function parentOf(name: string): string {
  return name.slice(0, name.lastIndexOf('.'));
}

function lastOf(name: string): string {
  return name.slice(name.lastIndexOf('.') + 1);
}

/** etcd's own names where it has one. */
const FILES: Readonly<Record<string, string>> = {
  etcdserverpb: 'rpc.proto',
  mvccpb: 'kv.proto',
  authpb: 'auth.proto',
  v3lockpb: 'v3lock.proto',
  v3electionpb: 'v3election.proto',
};

function fileNameOf(pkg: string): string {
  return FILES[pkg] ?? `${pkg.replaceAll('.', '/')}/${lastOf(parentOf(pkg))}.proto`;
}
