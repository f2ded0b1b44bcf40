export type { ColumnType } from './casting.ts'
export { CleaningDF, type CleaningTools, type SeriesConverter, type ValueConverter } from './cleaning-df.ts'
export {
  ImportDataCommand,
  ImportDataCommand as ImportDataBaseCommand,
  type ImportResult,
  type RawRows,
} from './import-data-command.ts'
export type { ImportOptions } from './import-options.ts'
export { loadPolars, rowsOf, type Frame, type Polars, type Series } from './polars.ts'
export type { Reject } from './rejects.ts'
export type { BulksByModel, Counts } from './write.ts'
