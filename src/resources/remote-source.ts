import { RESOURCE_LIMITS } from './limits.ts';
import { machineFactsShape, machineUseShape } from './machine-shapes.ts';
import { plainText } from './plain-text.ts';
import type { ResourceSource } from './resource-source.ts';
import { count, exactly, optional, type Reader, readJson, record, ShapeError, text } from './shape.ts';
import { type MachineFacts, type MachineUse, RESOURCES_SCHEMA_VERSION } from './types.ts';

/*
 * Asking another member: one message each way, both JSON.
 *
 *     → {"schemaVersion":1,"want":"facts"}        or "use"
 *     ← {"schemaVersion":1,"facts":{…}}           or {"schemaVersion":1,"use":{…}}
 *     ← {"schemaVersion":1,"problem":"…"}
 *
 * What carries them (a link between members) need not look inside: `exchange` on the asking side, `answerResourceRequest`
 * on the asked one. Versions may differ while a cluster is renewed: then the answer is a problem that says so.
 */

/** Carries a request to a member and its answer back; rejects when it cannot, and when `signal` ends. */
export type ResourceExchange = (request: Uint8Array, signal: AbortSignal) => Promise<Uint8Array>;

export interface RemoteSourceOptions {
  readonly memberId: string;
  readonly name?: string | undefined;
  readonly bootId: string | undefined;
  readonly exchange: ResourceExchange;
}

export function remoteSource({ memberId, name, bootId, exchange }: RemoteSourceOptions): ResourceSource {
  const ask = async (want: Want, signal: AbortSignal): Promise<Answer> => {
    const request: Request = { schemaVersion: RESOURCES_SCHEMA_VERSION, want };
    return readAnswer(await exchange(Buffer.from(JSON.stringify(request)), signal), want);
  };
  return {
    memberId,
    name,
    bootId,
    isSelf: false,
    facts: async (signal) => needed((await ask('facts', signal)).facts),
    use: async (signal) => needed((await ask('use', signal)).use),
  };
}

/** The asked side: answers any bytes, also wrong ones, with a message of at most `answerBytesMax`. Never rejects. */
export async function answerResourceRequest(
  request: Uint8Array,
  own: ResourceSource,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const answer = await answerFor(request, own, signal).catch((error: unknown) => problemAnswer(describe(error)));
  const bytes = Buffer.from(JSON.stringify(answer));
  if (bytes.length <= RESOURCE_LIMITS.answerBytesMax) return bytes;
  const tooLong = problemAnswer(`its answer would have ${bytes.length} bytes, more than a message may have`);
  return Buffer.from(JSON.stringify(tooLong));
}

async function answerFor(request: Uint8Array, own: ResourceSource, signal: AbortSignal): Promise<Answer> {
  if (request.length > REQUEST_BYTES_MAX) return problemAnswer('it was asked with too long a message');
  const { schemaVersion, want } = readJson(requestShape, request, 'the request');
  if (schemaVersion !== RESOURCES_SCHEMA_VERSION) return problemAnswer(otherVersion(schemaVersion));
  return want === 'facts'
    ? { schemaVersion: RESOURCES_SCHEMA_VERSION, facts: await own.facts(signal) }
    : { schemaVersion: RESOURCES_SCHEMA_VERSION, use: await own.use(signal) };
}

const REQUEST_BYTES_MAX = 1024;

type Want = 'facts' | 'use';

interface Request {
  readonly schemaVersion: number;
  readonly want: Want;
}

interface Answer {
  readonly schemaVersion: number;
  readonly problem?: string | undefined;
  readonly facts?: MachineFacts | undefined;
  readonly use?: MachineUse | undefined;
}

const requestShape: Reader<Request> = record<Request>({ schemaVersion: count, want: exactly('facts', 'use') });
/** Read before the rest: another version's facts need not look like ours. */
const answerHeadShape = record<Pick<Answer, 'schemaVersion' | 'problem'>>({
  schemaVersion: count,
  problem: optional(text),
});
const answerShapes: Readonly<Record<Want, Reader<Answer>>> = {
  facts: record<Omit<Answer, 'use'>>({ schemaVersion: count, problem: optional(text), facts: machineFactsShape }),
  use: record<Omit<Answer, 'facts'>>({ schemaVersion: count, problem: optional(text), use: machineUseShape }),
};

function readAnswer(bytes: Uint8Array, want: Want): Answer {
  if (bytes.length > RESOURCE_LIMITS.answerBytesMax) {
    throw new ShapeError(`its answer has ${bytes.length} bytes, more than ${RESOURCE_LIMITS.answerBytesMax}`);
  }
  const head = readJson(answerHeadShape, bytes, 'its answer');
  if (head.problem !== undefined) throw new ShapeError(head.problem);
  if (head.schemaVersion !== RESOURCES_SCHEMA_VERSION) throw new ShapeError(otherVersion(head.schemaVersion));
  return readJson(answerShapes[want], bytes, 'its answer');
}

function needed<T>(part: T | undefined): T {
  if (part === undefined) throw new ShapeError('its answer lacks what was asked for');
  return part;
}

function problemAnswer(problem: string): Answer {
  return { schemaVersion: RESOURCES_SCHEMA_VERSION, problem };
}

function otherVersion(version: number): string {
  return `it was met with version ${version} of the resources' schema and knows version ${RESOURCES_SCHEMA_VERSION} alone`;
}

function describe(error: unknown): string {
  return plainText(error instanceof Error ? error.message : String(error)) ?? 'it failed without a reason';
}
