import { type Method, Status, StatusError } from '../wire/grpc.ts';
import { HealthCheckRequest, HealthCheckResponse } from './messages/health-table.ts';
import type { OpenStreams } from './open-streams.ts';
import { serverStream } from './server-stream.ts';
import { tableMethod } from './table-method.ts';

const SERVING = 1;
const NOT_SERVING = 2;
const SERVICE_UNKNOWN = 3;

/**
 * grpc.health.v1.Health: of the server as a whole (the empty name, which is all that etcd knows of) and of each service,
 * which are up and down together.
 * Source: https://github.com/grpc/grpc/blob/master/doc/health-checking.md
 */
export class HealthService {
  private serving = true;
  private services: ReadonlySet<string> = new Set();
  private readonly watchers = new Set<() => void>();

  /** The full names of the services there are. */
  setServices(names: ReadonlySet<string>): void {
    this.services = names;
    for (const wake of this.watchers) wake();
  }

  /** Tells everyone that the server does or does not take requests, as before it stops. */
  setServing(serving: boolean): void {
    if (this.serving === serving) return;
    this.serving = serving;
    for (const wake of this.watchers) wake();
  }

  methods(open?: OpenStreams): readonly (readonly [path: string, method: Method])[] {
    return [
      [
        '/grpc.health.v1.Health/Check',
        tableMethod(HealthCheckRequest, HealthCheckResponse, ({ service }) => {
          const status = this.status(service);
          if (status === SERVICE_UNKNOWN) throw new StatusError(Status.notFound, 'unknown service');
          return { status };
        }),
      ],
      [
        '/grpc.health.v1.Health/Watch',
        serverStream(
          (reader) => HealthCheckRequest.read(reader),
          async ({ service }, sink) => {
            let told: number | undefined;
            for (;;) {
              const status = this.status(service);
              if (status !== told && !(await sink.send(HealthCheckResponse.encode({ status })))) return;
              told = status;
              if (sink.closed) return;
              if (this.status(service) === status) await this.change(sink.untilClosed());
            }
          },
          open,
        ),
      ],
    ];
  }

  private status(service: string): number {
    if (service !== '' && !this.services.has(service)) return SERVICE_UNKNOWN;
    return this.serving ? SERVING : NOT_SERVING;
  }

  /** Resolves at the next change, or when the watcher is gone. */
  private async change(closed: Promise<void>): Promise<void> {
    let wake: (() => void) | undefined;
    const changed = new Promise<void>((resolve) => {
      wake = resolve;
    });
    if (wake === undefined) return;
    this.watchers.add(wake);
    await Promise.race([changed, closed]);
    this.watchers.delete(wake);
  }
}
