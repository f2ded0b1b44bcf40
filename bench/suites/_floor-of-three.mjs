// Run by the suite `runner`: ours is twice as fast, so a floor of 3 must be missed.
import { defineCase, defineSuite } from '../lib/suite.mjs'
import { work } from '../lib/work.mjs'

export const suite = defineSuite({
  name: '_floor-of-three',
  cases: [
    defineCase({
      id: 'two-fold',
      unit: 'op/s',
      pairs: 7,
      ours: { run: (operations) => work(operations) },
      peers: { 'twice the work': { run: (operations) => work(2 * operations) } },
      floor: { 'twice the work': 3 },
    }),
  ],
})
