import type { StoredValue } from '../protocol.ts'
import { quoteIdentifier, quoteIdentifiers } from './identifiers.ts'

/** The text of an INSERT into one table with one list of columns. */
export interface InsertPlan {
  readonly columns: readonly string[]
  readonly sql: string
  /** None: stands for the parameters that a variant adds. */
  readonly values: readonly StoredValue[]
  /** The text with further clauses, by these. */
  readonly variants: Map<string, string>
}

// Building the text costs more than everything else about an insert, and a program inserts few shapes of rows.
const plansByTable = new Map<string, InsertPlan[]>()
const MAX_TABLES = 500
const MAX_PLANS = 16
const MAX_VARIANTS = 16

const NONE: readonly StoredValue[] = []

/** The plan for a table and a row's columns in their order. @throws {UsageError} for names that cannot be any. */
export function planOf(table: string, columns: readonly string[]): InsertPlan {
  const plans = plansByTable.get(table)
  if (plans) for (const plan of plans) if (isSameList(plan.columns, columns)) return plan
  return addPlan(table, columns)
}

/** The plan's text with clauses at its end, the same string each time. */
export function variantOf({ sql, variants }: InsertPlan, clauses: string): string {
  if (clauses === '') return sql
  const known = variants.get(clauses)
  if (known !== undefined) return known
  if (variants.size >= MAX_VARIANTS) variants.clear()
  variants.set(clauses, sql + clauses)
  return sql + clauses
}

function addPlan(table: string, columns: readonly string[]): InsertPlan {
  const into = `INSERT INTO ${quoteIdentifier(table)}`
  const sql =
    columns.length === 0
      ? `${into} DEFAULT VALUES`
      : `${into} (${quoteIdentifiers(columns)}) VALUES (${columns.map(() => '?').join(', ')})`
  const plan: InsertPlan = { columns, sql, values: NONE, variants: new Map() }
  let plans = plansByTable.get(table)
  if (!plans) {
    if (plansByTable.size >= MAX_TABLES) plansByTable.clear()
    plansByTable.set(table, (plans = []))
  }
  if (plans.length >= MAX_PLANS) plans.shift()
  plans.push(plan)
  return plan
}

function isSameList(a: readonly string[], b: readonly string[]): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}
