/**
 * Tells the process that started this one through `spawnChild` that a point is reached, and waits for its answer.
 * If the parent armed `killAt` for the point, this process is killed there and the promise never settles. Returns at
 * once in a process that was not started by `spawnChild`.
 */
export function reach(point: string): Promise<void>
