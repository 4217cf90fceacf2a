// Runs a task once a frame, however often it is asked for.

export interface FrameTask {
  request(): void;
  cancel(): void;
}

export function frameTask(run: () => void): FrameTask {
  let handle: number | null = null;
  return {
    request() {
      handle ??= requestAnimationFrame(() => {
        handle = null;
        run();
      });
    },
    cancel() {
      if (handle !== null) cancelAnimationFrame(handle);
      handle = null;
    },
  };
}
