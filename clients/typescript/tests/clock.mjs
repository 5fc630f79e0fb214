// Simulated timers: the clock moves to the next timer when nothing else is left to do.

const real = { setTimeout: globalThis.setTimeout, clearTimeout: globalThis.clearTimeout };

export class Clock {
  now = 0;
  #timers = new Map();
  #next = 1;

  /** Returns the result of some work, in simulated time. */
  async run(work) {
    globalThis.setTimeout = (callback, wait = 0) => {
      this.#timers.set(this.#next, { at: this.now + wait, callback });
      return this.#next++;
    };
    globalThis.clearTimeout = (timer) => this.#timers.delete(timer);
    try {
      let settled = false;
      const result = Promise.resolve(work()).finally(() => (settled = true));
      result.catch(() => {});
      for (;;) {
        // Available bodies arrive within microtasks and a few turns of their streams.
        for (let turn = 0; turn < 10; turn += 1) await new Promise((resolve) => setImmediate(resolve));
        if (settled) return await result;
        const [first] = [...this.#timers].sort(([, one], [, other]) => one.at - other.at);
        if (first === undefined) throw new Error("it waits for nothing that comes");
        const [timer, { at, callback }] = first;
        this.#timers.delete(timer);
        this.now = at;
        callback();
      }
    } finally {
      Object.assign(globalThis, real);
    }
  }

  /** Returns the timers that are not cleared. */
  get left() {
    return this.#timers.size;
  }
}
