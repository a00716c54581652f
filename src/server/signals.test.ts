import { EventEmitter } from 'node:events';
import { expect, it } from 'vitest';
import { silentLogger } from '../base/logger.ts';
import { firstStopSignal, type SignalSource } from './signals.ts';

it.each([
  ['SIGTERM', 143],
  ['SIGINT', 130],
] as const)('the first %s asks to stop, the second ends at once with %d', async (signal, code) => {
  const emitter = new EventEmitter();
  const exits: number[] = [];
  const source = Object.assign(emitter, {
    exit: (exitCode: number) => void exits.push(exitCode),
  }) as unknown as SignalSource;
  const asked = firstStopSignal(source, silentLogger);
  emitter.emit(signal, signal);
  expect(await asked).toBe(signal);
  expect(exits).toEqual([]);
  emitter.emit(signal, signal);
  expect(exits).toEqual([code]);
});
