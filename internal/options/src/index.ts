export { checkOptions, type OptionChecks } from './check-options.ts'
export { didYouMean, suggestion } from './suggestion.ts'
