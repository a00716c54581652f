import { parentPort } from 'node:worker_threads';
import { compareSync, genSaltSync, hashSync } from 'bcryptjs';
import { invariant } from '../../base/invariant.ts';
import type { PasswordAnswer, PasswordQuestion } from './protocol.ts';

/*
 * The thread that hashes passwords: one question after the other. That it is one bounds what logins can take of the
 * machine. `$2a$` is how etcd's library writes bcrypt's hashes.
 */

const port = parentPort;
invariant(port !== null, 'this file is the entry of a worker thread');
port.on('message', (question: PasswordQuestion) => {
  port.postMessage({ id: question.id, answer: answerTo(question) } satisfies PasswordAnswer);
});

function answerTo(question: PasswordQuestion): string | boolean | undefined {
  try {
    if (question.kind === 'matches') return compareSync(question.password, question.hash);
    return hashSync(question.password, genSaltSync(question.cost).replace('$2b$', '$2a$'));
  } catch {
    // What is stored is no hash of bcrypt's: it matches nothing. A hash that cannot be made is the caller's error.
    return question.kind === 'matches' ? false : undefined;
  }
}
