// Short messages about something that has just happened. They are announced politely and leave by
// themselves; nothing a person must know or act on belongs here.

export interface Toast {
  readonly id: number;
  readonly text: string;
}

const VISIBLE_MS = 5_000;

class Toasts {
  list = $state.raw<readonly Toast[]>([]);
  #next = 1;

  show(text: string): void {
    const id = this.#next++;
    this.list = [...this.list.slice(-2), { id, text }];
    setTimeout(() => this.dismiss(id), VISIBLE_MS);
  }

  dismiss(id: number): void {
    this.list = this.list.filter((toast) => toast.id !== id);
  }
}

export const toasts = new Toasts();
