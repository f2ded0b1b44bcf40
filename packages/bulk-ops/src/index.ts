export { getStepChunks } from './step-chunks.ts'
