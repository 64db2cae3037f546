// The page's side of the worker: requests as promises, and channels on which only the latest request counts.

export class Client {
  /** @param {Worker} worker running `serve`, or an object with the same two functions */
  constructor(worker) {
    this.worker = worker;
    this.waiting = new Map();
    this.channels = new Map();
    this.next = 0;
    worker.onmessage = ({ data: { id, answer, error } }) => {
      const { resolve, reject } = this.waiting.get(id);
      this.waiting.delete(id);
      if (error) reject(new Error(error));
      else resolve(answer);
    };
  }

  ask(kind, request) {
    return new Promise((resolve, reject) => {
      const id = this.next++;
      this.waiting.set(id, { resolve, reject });
      this.worker.postMessage({ id, kind, request });
    });
  }

  /**
   * Ask on a channel. While an answer is awaited, a newer request replaces the one that waits behind it, which resolves to null:
   * moves of the pointer never queue up.
   */
  latest(channel, kind, request) {
    const state = this.channels.get(channel) ?? { busy: false, pending: null };
    this.channels.set(channel, state);
    if (state.pending) state.pending.resolve(null);
    state.pending = null;
    if (state.busy) return new Promise((resolve, reject) => (state.pending = { kind, request, resolve, reject }));
    return this.start(channel, state, kind, request);
  }

  async start(channel, state, kind, request) {
    state.busy = true;
    try {
      return await this.ask(kind, request);
    } finally {
      state.busy = false;
      const { pending } = state;
      state.pending = null;
      if (pending) this.start(channel, state, pending.kind, pending.request).then(pending.resolve, pending.reject);
    }
  }
}
