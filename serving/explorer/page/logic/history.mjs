// Undo and redo: a list of states and a place in it.

export class History {
  constructor(limit = 200) {
    this.limit = limit;
    this.states = [];
    this.at = -1;
  }

  /** Add a state after the current one. What could be redone is lost. */
  push(state) {
    this.states = this.states.slice(0, this.at + 1);
    this.states.push(state);
    if (this.states.length > this.limit) this.states.shift();
    this.at = this.states.length - 1;
  }

  get canUndo() {
    return this.at > 0;
  }

  get canRedo() {
    return this.at < this.states.length - 1;
  }

  undo() {
    if (this.canUndo) this.at--;
    return this.states[this.at];
  }

  redo() {
    if (this.canRedo) this.at++;
    return this.states[this.at];
  }
}
