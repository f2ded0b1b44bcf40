import {
  conditionLimits,
  type ColumnName,
  type ComparisonOperator,
  type Condition,
  type Literal,
} from './ast.ts'
import { conditionError } from './fail.ts'
import { tokenize, type Token } from './lexer.ts'

const comparisons: ReadonlyMap<string, ComparisonOperator> = new Map([
  ['=', '='],
  ['!=', '<>'],
  ['<>', '<>'],
  ['<', '<'],
  ['<=', '<='],
  ['>', '>'],
  ['>=', '>='],
  ['~', '~'],
  ['~*', '~*'],
  ['LIKE', 'LIKE'],
  ['ILIKE', 'ILIKE'],
])

/** How tightly the joining operators bind. */
const joins: ReadonlyMap<string, { kind: 'and' | 'or'; power: number }> = new Map([
  ['OR', { kind: 'or', power: 1 }],
  ['AND', { kind: 'and', power: 2 }],
])

/**
 * Parses a condition such as `age >= 18 AND name ILIKE 'a%'`: columns, comparison operators and literals, nothing
 * else.
 * @throws {CallError} `invalid_condition` with the position
 */
export function parseText(source: string): Condition {
  if (Buffer.byteLength(source) > conditionLimits.bytes) {
    throw conditionError(`longer than ${conditionLimits.bytes} bytes`, { position: 1 })
  }
  return new Parser(tokenize(source)).parse()
}

// A Pratt parser (https://tdop.github.io): operands are read by `#operand`, and `#expression` goes on joining them
// for as long as the next operator binds more tightly than the one before.
class Parser {
  readonly #tokens: readonly Token[]
  #index = 0
  #nodes = 0

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens
  }

  parse(): Condition {
    const condition = this.#expression(0, 0)
    if (this.#next.kind !== 'end') throw this.#unexpected('AND, OR or the end')
    return condition
  }

  #expression(minimumPower: number, depth: number): Condition {
    let left = this.#operand(depth)
    for (;;) {
      const join = this.#next.kind === 'word' ? joins.get(this.#next.text) : undefined
      if (join === undefined || join.power <= minimumPower) return left
      this.#index += 1
      const right = this.#expression(join.power, depth)
      const items: readonly Condition[] = left.kind === join.kind ? left.items : [left]
      left = { kind: join.kind, items: [...items, right] }
    }
  }

  #operand(depth: number): Condition {
    this.#nodes += 1
    if (this.#nodes > conditionLimits.nodes) throw this.#refuse(`more than ${conditionLimits.nodes} parts`)
    if (depth > conditionLimits.depth) throw this.#refuse(`nested deeper than ${conditionLimits.depth}`)
    if (this.#takeWord('NOT')) return { kind: 'not', item: this.#expression(2, depth + 1) }
    if (this.#takeSymbol('(')) {
      const inner = this.#expression(0, depth + 1)
      this.#expectSymbol(')')
      return inner
    }
    return this.#comparison()
  }

  #comparison(): Condition {
    const column = this.#column()
    if (this.#takeWord('IS')) {
      const negated = this.#takeWord('NOT')
      if (!this.#takeWord('NULL')) throw this.#unexpected('NULL')
      return negate(negated, { kind: 'null', column })
    }
    const negated = this.#takeWord('NOT')
    if (this.#takeWord('IN')) return negate(negated, { kind: 'in', column, values: this.#list() })
    if (this.#takeWord('BETWEEN')) {
      const low = this.#literal()
      if (!this.#takeWord('AND')) throw this.#unexpected('AND')
      return negate(negated, { kind: 'between', column, low, high: this.#literal() })
    }
    const token = this.#next
    const operator = isOperator(token) ? comparisons.get(token.text) : undefined
    if (operator === undefined || (negated && token.kind !== 'word')) throw this.#unexpected('an operator')
    this.#index += 1
    return negate(negated, { kind: 'compare', column, operator, value: this.#literal() })
  }

  #column(): ColumnName {
    const { kind, text, raw, position } = this.#next
    if (kind !== 'word' && kind !== 'quoted') throw this.#unexpected('a column')
    this.#index += 1
    const quoted = kind === 'quoted'
    return { name: quoted ? text : raw, quoted, at: { position } }
  }

  #list(): Literal[] {
    this.#expectSymbol('(')
    const values = [this.#literal()]
    while (this.#takeSymbol(',')) {
      if (values.length === conditionLimits.list)
        throw this.#refuse(`more than ${conditionLimits.list} values`)
      values.push(this.#literal())
    }
    this.#expectSymbol(')')
    return values
  }

  #literal(): Literal {
    const negative = this.#takeSymbol('-')
    const { kind, text } = this.#next
    if (kind === 'number') {
      this.#index += 1
      return { kind: 'number', text: negative ? `-${text}` : text }
    }
    if (negative) throw this.#unexpected('a number')
    if (kind === 'string') {
      this.#index += 1
      return { kind: 'string', text }
    }
    if (this.#takeWord('TRUE')) return { kind: 'boolean', value: true }
    if (this.#takeWord('FALSE')) return { kind: 'boolean', value: false }
    if (this.#takeWord('NULL')) return { kind: 'null' }
    throw this.#unexpected('a literal')
  }

  get #next(): Token {
    // The last token is the end, which nothing takes.
    const token = this.#tokens[this.#index]
    if (token === undefined) throw new RangeError('read past the end of a condition')
    return token
  }

  #takeWord(word: string): boolean {
    return this.#take('word', word)
  }

  #takeSymbol(symbol: string): boolean {
    return this.#take('symbol', symbol)
  }

  #take(kind: Token['kind'], text: string): boolean {
    const found = this.#next.kind === kind && this.#next.text === text
    if (found) this.#index += 1
    return found
  }

  #expectSymbol(symbol: string): void {
    if (!this.#takeSymbol(symbol)) throw this.#unexpected(`'${symbol}'`)
  }

  #unexpected(expected: string): Error {
    return this.#refuse(`expected ${expected}`)
  }

  #refuse(message: string): Error {
    return conditionError(message, { position: this.#next.position })
  }
}

const isOperator = (token: Token): boolean => token.kind === 'symbol' || token.kind === 'word'

const negate = (negated: boolean, item: Condition): Condition => (negated ? { kind: 'not', item } : item)
