export { bulkCreateBulksInSteps, type BulkEntries, type CreatedBulks } from './create/bulk-create-bulks.ts'
export { bulkCreateInSteps } from './create/bulk-create.ts'
export type { Source } from './create/chunks.ts'
export type { BulkCreateResult, PrimaryKeyOf, Returned, RowInput } from './create/results.ts'
export type { BulkDatabase } from './drizzle/databases.ts'
export {
  AtomicityError,
  BulkError,
  BulkOpsError,
  CycleError,
  errorCodes,
  InvalidOptionError,
  isBulkOpsError,
  UnresolvedRefError,
  UnsupportedError,
  type BulkOpsErrorCode,
} from './errors.ts'
export type { BulkCounts } from './executor.ts'
export { getModelMeta } from './get-model-meta.ts'
export type {
  BulkCreateBulksOptions,
  BulkCreateOptions,
  BulkProgress,
  OnConflict,
  Returning,
  RowKey,
  StepOptions,
  Upsert,
} from './options.ts'
export { ref, type Ref } from './ref.ts'
export { getStepChunks } from './step-chunks.ts'
export type { ColumnMeta, Dialect, ForeignKeyAction, ForeignKeyMeta, TableMeta } from './table-meta.ts'
export { topologicalSortModels } from './topological-sort-models.ts'
