import { meetsFloor } from './verdict.mjs'

/**
 * @import {CaseResult} from './verdict.mjs'
 * @import {SuiteResult} from './run-suite.mjs'
 */

const HEAD = ['case', 'contender', 'median', 'spread', 'ratio', '90 % interval', 'floor', 'stretch', '']

/**
 * The result of one case for a terminal: a headline, then a table with ours first.
 *
 * @param {CaseResult} result
 * @returns {string}
 */
export function caseText(result) {
  const headline = `${result.id} (${result.unit}, ${result.pairs} pairs)`
  if (result.error) return `${headline}\n  FAILED ${result.error}\n`
  const table = [HEAD, ...rows(result)].map((row) => row.slice(1))
  const widths = table[0].map((_, column) => Math.max(...table.map((row) => row[column].length)))
  const lines = table.map((row) => row.map((cell, column) => align(cell, widths[column], column)).join('  '))
  return [headline, ...lines.map((line) => `  ${line}`.trimEnd()), ''].join('\n')
}

/**
 * The whole run as a Markdown table, for READMEs and docs/benchmarks.md.
 *
 * @param {SuiteResult} suite
 * @returns {string}
 */
export function markdown({ suite, machine, versions, cases }) {
  const table = cases.flatMap((result) =>
    result.error
      ? [[result.id, '', '', '', '', '', '', '', 'FAILED']]
      : rows(result, `${result.id}, ${result.unit}`),
  )
  const rule = HEAD.map((_, column) => (column < 2 || column === HEAD.length - 1 ? '---' : '---:'))
  const peers = Object.entries(versions).map(([name, version]) => `${name} ${version}`)
  const where = `Node ${machine.node}, ${machine.cpus} x ${machine.cpu}, ${machine.memoryMiB} MiB`
  return [
    markdownRow(HEAD),
    markdownRow(rule),
    ...table.map((row) => markdownRow(row)),
    '',
    `\`pnpm bench ${suite}\` on ${[where, ...peers].join(', ')}.`,
  ].join('\n')
}

/**
 * @param {CaseResult} result
 * @param {string} title of the first row
 * @returns {string[][]} one row per contender, then one per limit
 */
function rows(result, title = '') {
  const { results, spread, ratios, interval, floor, stretch, limits } = result
  const names = Object.keys(results)
  const contenders = names.map((name, index) => [
    index === 0 ? title : '',
    name,
    figure(results[name]),
    `${(spread[name] * 100).toFixed(1)} %`,
    name in ratios ? `${ratios[name].toFixed(2)}x` : '',
    name in interval ? interval[name].map((bound) => bound.toFixed(2)).join('-') : '',
    name in floor ? floor[name].toFixed(2) : '',
    name in stretch ? stretch[name].toFixed(2) : '',
    outcome(result, name),
  ])
  const limited = limits.map(({ metric, op, value, unit, measured, ok }, index) => [
    names.length === 0 && index === 0 ? title : '',
    metric,
    `${figure(measured)} ${unit}`,
    '',
    '',
    '',
    `${op} ${figure(value)} ${unit}`,
    '',
    ok ? 'ok' : 'MISSED',
  ])
  return [...contenders, ...limited]
}

/**
 * @param {CaseResult} result
 * @param {string} name
 */
function outcome(result, name) {
  if (name in result.floor && !meetsFloor(result, name)) return 'MISSED'
  if (name in result.stretch && result.ratios[name] >= result.stretch[name]) return 'ok, stretch reached'
  return name in result.floor ? 'ok' : ''
}

/** @param {string[]} cells */
function markdownRow(cells) {
  return `| ${cells.join(' | ')} |`
}

/** @param {number} value with at least three significant digits */
function figure(value) {
  const digits = Math.abs(value) >= 100 ? { maximumFractionDigits: 0 } : { maximumSignificantDigits: 3 }
  return value.toLocaleString('en-US', digits)
}

/**
 * @param {string} cell
 * @param {number} width
 * @param {number} column names and outcomes stand left, figures right
 */
function align(cell, width, column) {
  return column === 0 || column === HEAD.length - 2 ? cell.padEnd(width) : cell.padStart(width)
}
