import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import ts from 'typescript'
import { CheckFailure } from './command.mjs'
import { writeJson } from './project.mjs'
import { readJson, specifier } from './workspace.mjs'

/**
 * @import {Package} from './workspace.mjs'
 *
 * @typedef {Record<string, Record<string, 'value' | 'type'>>} Snapshot by entry, what it exports
 */

/**
 * Compares what each entry exports, values and types, with the snapshot in the package's `etc/exports.json`:
 * nothing is added to or removed from the public API without a change of that file.
 *
 * @param {Package} of
 * @param {{folder: string, names: Record<string, string[]>, update: boolean}} options the project with every
 *   peer, the names its entries export at run time, and whether to write the snapshot instead
 * @throws {CheckFailure} when they differ, or when the types declare other values than there are
 */
export async function checkExportedNames(of, { folder, names, update }) {
  const actual = declaredNames(of, folder)
  const problems = of.entries.flatMap((entry) => undeclared(entry, actual[entry], names[entry]))
  if (problems.length > 0) throw new CheckFailure(problems.join('\n'))
  const file = join(of.folder, 'etc', 'exports.json')
  if (update) {
    await mkdir(dirname(file), { recursive: true })
    await writeJson(file, actual)
    return
  }
  if (!existsSync(file)) throw new CheckFailure('etc/exports.json is missing: write it with --update')
  const differences = differencesOf(await readJson(file), actual)
  if (differences.length > 0) {
    throw new CheckFailure(['differs from etc/exports.json (--update writes it)', ...differences].join('\n'))
  }
}

/**
 * @param {Package} of
 * @param {string} folder
 * @returns {Snapshot}
 */
function declaredNames(of, folder) {
  const consumer = join(folder, 'src', 'entries.ts')
  const options = { module: ts.ModuleKind.NodeNext, target: ts.ScriptTarget.ES2022, types: [], noEmit: true }
  const program = ts.createProgram([consumer], options)
  const checker = program.getTypeChecker()
  const imports = program.getSourceFile(consumer).statements.filter((each) => ts.isImportDeclaration(each))
  const snapshot = {}
  for (const entry of of.entries) {
    const from = imports.find((each) => each.moduleSpecifier.text === specifier(of, entry))
    const module = checker.getSymbolAtLocation(from.moduleSpecifier)
    if (!module) throw new CheckFailure(`${entry} has no types`)
    const kinds = checker.getExportsOfModule(module).map((symbol) => [symbol.name, kindOf(symbol, checker)])
    snapshot[entry] = Object.fromEntries(kinds.toSorted(([a], [b]) => (a < b ? -1 : 1)))
  }
  return snapshot
}

/**
 * @param {ts.Symbol} symbol
 * @param {ts.TypeChecker} checker
 * @returns {'value' | 'type'}
 */
function kindOf(symbol, checker) {
  if (symbol.declarations?.some((each) => ts.isTypeOnlyExportDeclaration(each))) return 'type'
  const target = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol
  return target.flags & ts.SymbolFlags.Value ? 'value' : 'type'
}

/**
 * A type-only export of a class loses its `type` when the type files are bundled: users could then write
 * `instanceof` or `new`, compile, and crash. Export the class itself, or an interface.
 *
 * @param {string} entry
 * @param {Record<string, 'value' | 'type'>} declared
 * @param {string[]} exported at run time
 */
function undeclared(entry, declared, exported) {
  const values = Object.keys(declared).filter((name) => declared[name] === 'value')
  return [
    ...exported
      .filter((name) => !values.includes(name))
      .map((name) => `${entry} exports ${name} without a type`),
    ...values
      .filter((name) => !exported.includes(name))
      .map((name) => `${entry} exports the value ${name} to types only`),
  ]
}

/**
 * @param {Snapshot} expected
 * @param {Snapshot} actual
 */
function differencesOf(expected, actual) {
  const before = lines(expected)
  const after = lines(actual)
  return [
    ...before.filter((line) => !after.includes(line)).map((line) => `- ${line}`),
    ...after.filter((line) => !before.includes(line)).map((line) => `+ ${line}`),
  ]
}

/** @param {Snapshot} snapshot */
function lines(snapshot) {
  return Object.entries(snapshot).flatMap(([entry, kinds]) =>
    Object.entries(kinds).map(([name, kind]) => `${entry} ${kind} ${name}`),
  )
}
