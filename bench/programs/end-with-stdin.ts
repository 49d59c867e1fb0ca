/** Whoever started this program holds its stdin: when that closes, it ends. */
export function endWithStdin(): void {
  const end = (): never => process.exit(0);
  process.stdin.on('end', end).on('error', end).resume();
}
