/** A promise that is opened by hand, to hold a computation at a known point. */
export interface Latch {
  readonly opened: Promise<void>
  readonly open: () => void
}

/** A closed latch. */
export function latch(): Latch {
  let open = (): void => undefined
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open: () => open() }
}
