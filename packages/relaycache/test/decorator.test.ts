import ts from 'typescript'
import { beforeEach, describe, expect, it } from 'vitest'
import { cache, InMemoryCache, invalidate } from '../src/index.ts'

let backend: InMemoryCache
beforeEach(() => {
  backend = new InMemoryCache()
})

interface Books {
  runs: number
  find(id: number): Promise<string>
  byName(name: string): Promise<string>
}

type BooksClass = new () => Books

interface Classes {
  Books: BooksClass
  Novels: BooksClass
  Nameless: BooksClass
  Shop: { all(): Promise<string> }
}

/** The classes of a program with decorators, which this Node does not understand by itself. */
function classesOf(source: string, compilerOptions: ts.CompilerOptions = {}): Classes {
  const { outputText } = ts.transpileModule(source, {
    compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext, ...compilerOptions },
  })
  // oxlint-disable-next-line typescript/no-implied-eval -- compiled from the text in this file
  return new Function('cache', 'options', outputText)(cache, { ttl: 60, backend, tags: ['books'] }) as never
}

const PROGRAM = `
class Books {
  runs = 0
  @cache(options) async find(id) { return 'run ' + (this.runs += 1) + ' of ' + id }
  @cache({ ...options, key: 'by-name' }) async byName(name) { return 'run ' + (this.runs += 1) + ' of ' + name }
}
class Novels extends Books {}
class Shop { @cache(options) static async all() { return this.name } }
const Nameless = (() => class { @cache(options) async find() { return 1 } byName = cache(options)(async function byName() {}) })()
return { Books, Novels, Shop, Nameless }
`

describe('@cache', () => {
  it('caches by name and arguments for all objects of a class, and not for those of a subclass', async () => {
    const { Books, Novels } = classesOf(PROGRAM)
    const [one, two, novels] = [new Books(), new Books(), new Novels()]
    expect(await one.find(1)).toBe('run 1 of 1')
    expect(await two.find(1)).toBe('run 1 of 1')
    expect(await two.find(2)).toBe('run 1 of 2')
    expect(await novels.find(1)).toBe('run 1 of 1')
    expect([one.runs, two.runs, novels.runs]).toEqual([1, 1, 1])
    expect(await backend.has('Books.find(1)')).toBe(true)
    expect(await backend.has('Novels.find(1)')).toBe(true)
  })

  it('is invalidated by its tags, and takes a key in place of the names', async () => {
    const { Books } = classesOf(PROGRAM)
    const books = new Books()
    await books.byName('dune')
    expect(await backend.has('by-name("dune")')).toBe(true)
    await invalidate({ tags: ['books'], backend })
    expect(await books.byName('dune')).toBe('run 2 of dune')
  })

  it('caches static methods by the name of the class', async () => {
    const { Shop } = classesOf(PROGRAM)
    expect(await Shop.all()).toBe('Shop')
    expect(await backend.has('Shop.all()')).toBe(true)
  })

  it('rejects for a class without a name, or without an object', async () => {
    const { Nameless, Books } = classesOf(PROGRAM)
    await expect(new Nameless().find(1)).rejects.toThrow('Expected a class with a name, or an option')
    const { prototype } = Books as { prototype: Books }
    await expect(prototype.find.call(undefined as never, 1)).rejects.toThrow(
      'Expected a cached method to be called on an object, got undefined',
    )
  })

  it('checks its options, and what it decorates, when the class is made', () => {
    expect(() => classesOf('class A { @cache({ ttl: 0 }) async a() {} }')).toThrow(RangeError)
    expect(() => classesOf('class A { @cache(options) get a() { return 1 } }')).toThrow(
      new TypeError('Expected @cache to decorate a method, got a getter'),
    )
  })

  it.each(['async a() {}', 'static async a() {}', 'get a() { return 1 }'])(
    'refuses to be compiled as a decorator of the older kind: %s',
    (member) => {
      expect(() =>
        classesOf(`class A { @cache(options) ${member} }`, { experimentalDecorators: true }),
      ).toThrow(
        'Expected @cache to be compiled as a standard decorator; take experimentalDecorators out of tsconfig.json',
      )
    },
  )
})
