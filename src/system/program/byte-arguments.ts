import { isRaw, rawBytes } from '../../text/raw-text.js'

/** Gives each of its arguments, in which printf(1) finds every byte, to the program that the first one is. */
const unpack = `program=$1
shift
for word; do
  shift
  word=$(printf '%b.' "$word")
  set -- "$@" "\${word%.}"
done
exec "$program" "$@"`

/** The command that runs a program with arguments that are bytes: Node has only texts for them. */
export function byteCommand(file: string, args: string[]): [file: string, args: string[]] {
  if (!args.some(isRaw)) return [file, args]
  return ['sh', ['-c', unpack, 'sh', file, ...args.map(escaped)]]
}

function escaped(text: string): string {
  const word = (byte: number) => `\\0${byte.toString(8).padStart(3, '0')}`
  const isPlain = (byte: number) => /[\w./:=-]/.test(String.fromCharCode(byte)) && byte < 0x80
  return [...rawBytes(text)].map((byte) => (isPlain(byte) ? String.fromCharCode(byte) : word(byte))).join('')
}
