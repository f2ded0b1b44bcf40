export * from './blog.ts'
export * from './library.ts'
