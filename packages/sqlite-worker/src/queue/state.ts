/** A job's state in its table. Numbers, because indexes and every claim touch them. */
export const State = {
  /** To be run now. */
  ready: 0,
  running: 1,
  /** To be run at a later time. */
  delayed: 2,
  /** To be run when its group has room. */
  parked: 3,
  /** Its consumer vanished while it ran. Such jobs are run one at a time, so that one that kills harms no other. */
  suspect: 4,
  completed: 5,
  dead: 6,
} as const
