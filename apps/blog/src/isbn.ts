/**
 * Restores an ISBN-10 that lost its leading zeros when somebody kept it as a number. Returns undefined when the check
 * digit is wrong, so that what was restored is never made up (ISO 2108).
 */
export function restoreIsbn(text: string): string | undefined {
  const isbn = text.trim().toUpperCase().padStart(10, '0')
  if (!/^\d{9}[\dX]$/.test(isbn)) return undefined
  const sum = Array.from(isbn).reduce(
    (total, digit, index) => total + (digit === 'X' ? 10 : Number(digit)) * (10 - index),
    0,
  )
  return sum % 11 === 0 ? isbn : undefined
}
