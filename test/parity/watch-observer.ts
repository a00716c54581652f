import type { EtcdClient, Stream } from '../support/client.ts';
import type { WatchRequest, WatchResponse } from '../support/messages.ts';
import { normalForm } from './normal-form.ts';

/** Everything that one watch stream of one server has said, told per watch. */
export class WatchObserver {
  /** How many answers were `created` or `canceled`. */
  controls = 0;
  /** Ids that can be cancelled. */
  readonly live = new Set<string>();
  /** The newest revision that the server has told as progress of all watches. */
  progressRevision = 0;
  /** Set when the server has broken a promise by itself, whatever the other one does. */
  broken: string | undefined;
  /** Per watch (its id, and which one of that id it is): everything in order. Order between watches is chance. */
  private readonly told = new Map<string, string[]>();
  private readonly stream: Stream<WatchRequest, WatchResponse>;
  private readonly released = new Set<string>();
  private readonly generation = new Map<string, number>();
  private readonly lastRevision = new Map<string, number>();

  constructor(client: EtcdClient) {
    this.stream = client.stream('Watch/Watch');
    void this.read();
  }

  send(request: WatchRequest): void {
    this.stream.send(request);
  }

  close(): void {
    this.stream.cancel();
  }

  /** All that can be compared with the other server. */
  get picture(): string {
    return [...this.told]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .flatMap(([watch, lines]) => [watch, ...lines])
      .join('\n');
  }

  private async read(): Promise<void> {
    try {
      for (;;) {
        const answer = await this.stream.next(2 ** 31 - 1);
        if (answer === undefined) return;
        this.take(answer);
      }
    } catch (error) {
      // Cancelled by close, or by a restart of the server; anything else shows as what never comes.
      void error;
    }
  }

  private take(answer: WatchResponse): void {
    if (answer.created || answer.canceled) this.takeControl(answer);
    else if (answer.events.length > 0) this.takeEvents(answer);
    else if (answer.watch_id === '-1') this.progressRevision = Number(answer.header?.revision ?? 0);
    else this.broken ??= `progress of watch ${answer.watch_id} that nobody has asked for`;
  }

  private takeControl(answer: WatchResponse): void {
    const id = answer.watch_id;
    if (answer.canceled && this.released.delete(id)) return;
    if (answer.canceled && answer.compact_revision !== '0') this.release(id);
    if (answer.created && !answer.canceled) {
      this.live.add(id);
      this.progressRevision = 0;
      this.generation.set(id, (this.generation.get(id) ?? 0) + 1);
      this.lastRevision.delete(id);
    }
    this.listOf(id).push(normalForm(answer));
    if (answer.canceled) this.live.delete(id);
    this.controls++;
  }

  /**
   * A watch that ended by compaction keeps its id in etcd until the client cancels it as well, and as long no progress is
   * told on that stream. Whether that cancel is answered is left out of the comparison.
   */
  private release(id: string): void {
    this.released.add(id);
    this.stream.send({ cancel_request: { watch_id: id } });
  }

  private listOf(id: string): string[] {
    const watch = `watch ${id} #${this.generation.get(id) ?? 0}`;
    const list = this.told.get(watch) ?? [];
    this.told.set(watch, list);
    return list;
  }

  private takeEvents(answer: WatchResponse): void {
    const id = answer.watch_id;
    const list = this.listOf(id);
    for (const event of answer.events) {
      const revision = Number(event.kv?.mod_revision ?? 0);
      if (revision < (this.lastRevision.get(id) ?? 0)) this.broken ??= `watch ${id}: revision ${revision} comes late`;
      if (revision > Number(answer.header?.revision ?? 0))
        this.broken ??= `watch ${id}: header behind event ${revision}`;
      this.lastRevision.set(id, revision);
      list.push(normalForm(event));
    }
  }
}
