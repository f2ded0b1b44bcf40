import { types } from 'pg'

/** Makes a JSON value of PostgreSQL's text. */
type Parser = (text: string) => unknown

const integer = (text: string): number | string => {
  const value = Number(text)
  return Number.isSafeInteger(value) ? value : text
}
// JSON has no NaN and no Infinity.
const float = (text: string): number | string => (Number.isFinite(Number(text)) ? Number(text) : text)
const asText: Parser = (text) => text

/** By OID: https://github.com/postgres/postgres/blob/master/src/include/catalog/pg_type.dat */
const scalars: ReadonlyMap<number, Parser> = new Map<number, Parser>([
  [16, (text) => text === 't'],
  [17, (text) => Buffer.from(text.slice(2), 'hex').toString('base64')],
  [20, integer],
  [21, integer],
  [23, integer],
  [26, integer],
  [114, (text) => JSON.parse(text)],
  [700, float],
  [701, float],
  [3802, (text) => JSON.parse(text)],
])

/** OIDs of array types, to those of their elements. */
const arrays: ReadonlyMap<number, number> = new Map([
  [199, 114],
  [1000, 16],
  [1001, 17],
  [1005, 21],
  [1007, 23],
  [1009, 25],
  [1014, 1042],
  [1015, 1043],
  [1016, 20],
  [1021, 700],
  [1022, 701],
  [1028, 26],
  [1041, 869],
  [1115, 1114],
  [1182, 1082],
  [1183, 1083],
  [1185, 1184],
  [1187, 1186],
  [1231, 1700],
  [1270, 1266],
  [2951, 2950],
  [3807, 3802],
])

/**
 * How values travel in JSON: BIGINT as a string when unsafe, bytea as base64, json parsed, arrays as lists; numeric,
 * dates, times and all other types as PostgreSQL's text.
 */
export const jsonTypes = {
  getTypeParser: (oid: number): Parser => {
    const scalar = scalars.get(oid)
    if (scalar) return scalar
    const element = arrays.get(oid)
    if (element === undefined) return asText
    const parse = scalars.get(element) ?? asText
    return (text) => mapNested(parseTextArray(text), parse)
  },
}

// pg's own parser of text[], which knows quotes, NULL and dimensions; its types do not list arrays.
const parseTextArray = types.getTypeParser(1009 as never) as (text: string) => unknown[]

function mapNested(items: readonly unknown[], parse: Parser): unknown[] {
  return items.map((item) => {
    if (Array.isArray(item)) return mapNested(item, parse)
    return typeof item === 'string' ? parse(item) : item
  })
}
