/** Something that a migration run does, or would do. */
export interface MigrationStep {
  readonly version: string
  readonly name: string
  readonly direction: 'up' | 'down'
}
