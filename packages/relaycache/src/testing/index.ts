export { backendContract } from './backend-contract.ts'
export type { ContractCase, CreateBackend } from './contract-case.ts'
