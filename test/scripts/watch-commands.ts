import type { EtcdClient, Stream } from '../support/client.ts';
import type { WatchRequest, WatchResponse } from '../support/messages.ts';
import { keyAndEnd, splitFirst } from './kv-commands.ts';
import { showEvent, showHeader } from './show.ts';
import { readWords } from './words.ts';

type WatchStream = Stream<WatchRequest, WatchResponse>;

/**
 * watch STREAM …, where the stream is opened when first named:
 *
 *   create KEY [END | prefix | from] [start= id=] [filter=noput,nodelete] [prev_kv] [progress_notify] [fragment]
 *   cancel ID             ask for the end of a watch; prints the answer
 *   cancel_unknown ID     the same for one that is not there: no answer comes
 *   events N              N events, however many answers they came in, sorted by watch
 *   next                  the next answer as it stands
 *   progress              ask for progress; prints what comes up to the answer to it
 *   ask_progress          the same without waiting for an answer
 *   nothing               an empty request
 *   half_close            this client will ask no more
 */
export class WatchCommands {
  private readonly client: EtcdClient;
  private readonly streams = new Map<string, WatchStream>();

  constructor(client: EtcdClient) {
    this.client = client;
  }

  async run(text: string): Promise<string[]> {
    const [name, afterName] = splitFirst(text);
    const [verb, rest] = splitFirst(afterName);
    const stream = this.stream(name);
    switch (verb) {
      case 'create':
        stream.send({ create_request: readCreate(rest) });
        return showResponse(await stream.take());
      case 'cancel':
        stream.send({ cancel_request: { watch_id: rest } });
        return showResponse(await stream.take());
      case 'cancel_unknown':
        stream.send({ cancel_request: { watch_id: rest } });
        return [];
      case 'events':
        return this.events(stream, Number(rest));
      case 'next':
        return showResponse(await stream.take());
      case 'progress':
        return this.progress(stream);
      case 'ask_progress':
        stream.send({ progress_request: {} });
        return [];
      case 'nothing':
        stream.send({});
        return [];
      case 'half_close':
        stream.halfClose();
        return [];
      default:
        throw new Error(`no watch command ${verb}`);
    }
  }

  close(): void {
    for (const stream of this.streams.values()) stream.cancel();
  }

  private stream(name: string): WatchStream {
    const open = this.streams.get(name) ?? this.client.stream('Watch/Watch');
    this.streams.set(name, open);
    return open;
  }

  /** How events are spread over answers is chance, and so is the order between watches of one stream. Within a watch it is not. */
  private async events(stream: WatchStream, count: number): Promise<string[]> {
    const byWatch = new Map<string, string[]>();
    for (let seen = 0; seen < count; ) {
      const answer = await stream.take();
      if (answer.events.length === 0) throw new Error(`events expected, not ${showResponse(answer).join(' ')}`);
      const lines = byWatch.get(answer.watch_id) ?? [];
      byWatch.set(answer.watch_id, lines);
      lines.push(...answer.events.flatMap(showEvent));
      seen += answer.events.length;
    }
    const ids = [...byWatch.keys()].sort((a, b) => Number(a) - Number(b));
    return ids.flatMap((id) => [`watch ${id}`, ...(byWatch.get(id) ?? []).map((line) => `  ${line}`)]);
  }

  private async progress(stream: WatchStream): Promise<string[]> {
    stream.send({ progress_request: {} });
    const lines: string[] = [];
    for (;;) {
      const answer = await stream.take();
      lines.push(...showResponse(answer));
      if (answer.events.length === 0 && !answer.created && !answer.canceled) return lines;
    }
  }
}

function readCreate(text: string): WatchRequest['create_request'] & object {
  const words = readWords(
    text,
    ['start', 'id', 'filter'],
    ['prefix', 'from', 'prev_kv', 'progress_notify', 'fragment'],
  );
  const filters = words.options.get('filter')?.split(',') ?? [];
  return {
    ...keyAndEnd(words),
    start_revision: words.options.get('start') ?? 0,
    watch_id: words.options.get('id') ?? 0,
    filters: filters.map((name) => (/^\d+$/.test(name) ? Number(name) : name.toUpperCase())),
    prev_kv: words.flags.has('prev_kv'),
    progress_notify: words.flags.has('progress_notify'),
    fragment: words.flags.has('fragment'),
  };
}

function showResponse(answer: WatchResponse): string[] {
  const parts = [`watch ${answer.watch_id}`];
  if (answer.created) parts.push('created');
  if (answer.canceled) parts.push('canceled');
  if (answer.fragment) parts.push('fragment');
  if (!answer.created && !answer.canceled && answer.events.length === 0) parts.push('progress');
  parts.push(showHeader(answer.header));
  if (answer.compact_revision !== '0') parts.push(`compact_revision ${answer.compact_revision}`);
  if (answer.cancel_reason !== '') parts.push(`because "${answer.cancel_reason}"`);
  return [parts.join(' '), ...answer.events.flatMap(showEvent).map((line) => `  ${line}`)];
}
