// Runs inside a project: prints, for each specifier, what it exports to ESM.
const loaded = {}
for (const specifier of process.argv.slice(2)) {
  try {
    loaded[specifier] = { names: Object.keys(await import(specifier)).toSorted() }
  } catch (error) {
    loaded[specifier] = { error: `${error.code ?? error.name}: ${error.message}` }
  }
}
console.log(JSON.stringify(loaded))
