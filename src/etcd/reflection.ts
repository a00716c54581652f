import { ProtobufError } from '../base/protobuf.ts';
import { type Method, Status, type StreamCall, type StreamHandler } from '../wire/grpc.ts';
import type { MethodLookup } from '../wire/local-call.ts';
import { type DescribedFile, describedFiles } from './descriptors.ts';
import { undecodableInStream } from './errors.ts';
import { API_METHODS, type ApiMethod } from './messages/api.ts';
import { reflectionMessages } from './messages/reflection-table.ts';
import type { Value } from './messages/schema.ts';
import type { OpenStreams } from './open-streams.ts';

/**
 * gRPC server reflection: what services there are, and what their messages look like, for grpcurl and the like.
 * Source: https://github.com/grpc/grpc/blob/master/doc/server-reflection.md
 */
export function reflectionService(
  lookup: MethodLookup,
  open?: OpenStreams,
): readonly (readonly [path: string, method: Method])[] {
  const own = VERSIONS.map(apiMethodOf);
  let catalogue: Catalogue | undefined;
  // Made when first asked for: it is seldom wanted, and by then all services are in the table.
  const made = (): Catalogue => {
    catalogue ??= new Catalogue([...API_METHODS.filter(({ path }) => lookup(path) !== undefined), ...own]);
    return catalogue;
  };
  return VERSIONS.map((version) => [
    apiMethodOf(version).path,
    { kind: 'stream', open: (call) => new ReflectionStream(call, reflectionMessages(version), made(), open) },
  ]);
}

const VERSIONS = ['v1', 'v1alpha'] as const;
type Messages = ReturnType<typeof reflectionMessages>;
type Request = Value<Messages['Request']>;
type Response = Partial<Value<Messages['Response']>>;

function apiMethodOf(version: (typeof VERSIONS)[number]): ApiMethod {
  const { Request: request, Response: response } = reflectionMessages(version);
  const service = `grpc.reflection.${version}.ServerReflection`;
  const name = 'ServerReflectionInfo';
  const path = `/${service}/${name}`;
  return { service, name, path, request, response, clientStreams: true, serverStreams: true, routes: [] };
}

/** What can be asked about, and the files that tell. */
class Catalogue {
  readonly services: readonly string[];
  readonly #files: ReadonlyMap<string, DescribedFile>;
  readonly #bySymbol: ReadonlyMap<string, DescribedFile>;

  constructor(methods: readonly ApiMethod[]) {
    this.services = [...new Set(methods.map(({ service }) => service))].sort();
    this.#files = describedFiles(methods);
    this.#bySymbol = new Map(
      [...this.#files.values()].flatMap((file) =>
        file.symbols.map((symbol): [string, DescribedFile] => [symbol, file]),
      ),
    );
  }

  answer(request: Request): Response {
    if (request.list_services !== undefined) {
      return { list_services_response: { service: this.services.map((name) => ({ name })) } };
    }
    if (request.file_by_filename !== undefined) return this.#told(this.#files.get(request.file_by_filename));
    if (request.file_containing_symbol !== undefined) {
      return this.#told(this.#bySymbol.get(request.file_containing_symbol));
    }
    if (request.all_extension_numbers_of_type !== undefined) {
      const base_type_name = request.all_extension_numbers_of_type;
      // proto3 has no extensions.
      return this.#bySymbol.has(base_type_name) ? { all_extension_numbers_response: { base_type_name } } : NOT_FOUND;
    }
    if (request.file_containing_extension !== undefined) return NOT_FOUND;
    return { error_response: { error_code: Status.invalidArgument, error_message: 'invalid MessageRequest' } };
  }

  #told(file: DescribedFile | undefined): Response {
    if (file === undefined) return NOT_FOUND;
    const files = new Set([file]);
    // Whoever gets a file needs those that it needs: a set grows while it is walked.
    for (const { dependencies } of files) {
      for (const name of dependencies) {
        const needed = this.#files.get(name);
        if (needed !== undefined) files.add(needed);
      }
    }
    return { file_descriptor_response: { file_descriptor_proto: [...files].map(({ encoded }) => encoded) } };
  }
}

const NOT_FOUND: Response = { error_response: { error_code: Status.notFound, error_message: 'not found' } };

/** One answer for each question, in order. */
class ReflectionStream implements StreamHandler {
  readonly #call: StreamCall;
  readonly #messages: Messages;
  readonly #catalogue: Catalogue;
  readonly #open: OpenStreams | undefined;
  #roomForMore: (() => void) | undefined;

  constructor(call: StreamCall, messages: Messages, catalogue: Catalogue, open: OpenStreams | undefined) {
    this.#call = call;
    this.#messages = messages;
    this.#catalogue = catalogue;
    this.#open = open;
    open?.add(call);
  }

  onMessage(bytes: Uint8Array): void | Promise<void> {
    try {
      const request = this.#messages.Request.decode(bytes);
      const answer = { valid_host: request.host, original_request: request, ...this.#catalogue.answer(request) };
      if (this.#call.send(this.#messages.Response.encode(answer))) return;
      return new Promise((resolve) => {
        this.#roomForMore = resolve;
      });
    } catch (error) {
      if (!(error instanceof ProtobufError)) throw error;
      this.#call.end(undecodableInStream(error));
    }
  }

  onHalfClose(): void {
    this.#call.end();
  }

  onDrain(): void {
    this.#roomForMore?.();
  }

  onClose(): void {
    this.#roomForMore?.();
    this.#open?.delete(this.#call);
  }
}
