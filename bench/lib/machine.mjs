import { availableParallelism, cpus, totalmem } from 'node:os'

/**
 * @typedef {object} Machine
 * @property {string} node
 * @property {number} cpus how many this process may use
 * @property {string} cpu model
 * @property {number} memoryMiB
 * @property {string} platform
 */

/**
 * What a reader must know to compare a figure with one of their own.
 *
 * @returns {Machine}
 */
export function machine() {
  return {
    node: process.version,
    cpus: availableParallelism(),
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    memoryMiB: Math.round(totalmem() / 2 ** 20),
    platform: `${process.platform} ${process.arch}`,
  }
}
