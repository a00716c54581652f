import { connect } from 'node:net';
import type { Look } from '../shared/silence.ts';

/** Takes a connection and lets go of it; PostgreSQL makes nothing of that. */
export const look: Look = ({ host, port }) =>
  new Promise((resolve) => {
    const socket = connect({ host, port });
    socket.once('connect', () => {
      resolve(true);
      socket.destroy();
    });
    socket.once('error', () => resolve(false));
  });
