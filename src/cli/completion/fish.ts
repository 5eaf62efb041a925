import { type CommandShape, groupsIn, type OptionShape, type ValueKind, valuesOf } from './shapes.js'

/** For fish 3 and newer. */
export function fishCompletion(shapes: CommandShape[]): string {
  const flags = valuesOf(shapes).flatMap((option) => option.flags)
  return `# fish completion for pgbk:  pgbk completion fish | source
function __pgbk_is
    set -l command
    set -l skip 0
    for word in (commandline -opc)[2..-1]
        if test $skip = 1
            set skip 0
            continue
        end
        switch $word
            case --
                return 1
            case ${flags.join(' ')}
                set skip 1
            case '-*'
            case '*'
                if test -z "$command"
                    set command $word
                else if contains -- "$command" ${groupsIn(shapes).map(quoted).join(' ')}
                    set command "$command $word"
                end
        end
    end
    test "$command" = "$argv[1]"
end
function __pgbk_names
    set -l words (commandline -opc)
    set -l root
    for flag in -C --root
        if set -l at (contains -i -- $flag $words)
            set root -C $words[(math $at + 1)]
        end
    end
    $words[1] completion $argv[1] $root 2>/dev/null
end
complete -c pgbk -f
${shapes.flatMap(linesFor).join('\n')}
`
}

function linesFor({ words, options, next, takes }: CommandShape): string[] {
  const start = `complete -c pgbk -n ${quoted(`__pgbk_is ${quoted(words)}`)}`
  return [
    ...next.map(({ word, description }) => `${start} -a ${word} -d ${quoted(description)}`),
    ...argumentWords(takes).map((text) => `${start} -a ${text}`),
    ...options.map((option) => `${start} ${optionWords(option)}`),
  ]
}

function argumentWords(takes: ValueKind): string[] {
  if (takes === 'backup') return ["'latest oldest (__pgbk_names ids)'"]
  if (takes === 'name') return ["'(__pgbk_names names)'"]
  return Array.isArray(takes) ? [quoted(takes.join(' '))] : []
}

function optionWords({ flags, description, value }: OptionShape): string {
  const names = flags.map((flag) => (flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`))
  return `${names.join(' ')}${valueWords(value)} -d ${quoted(description)}`
}

function valueWords(value: ValueKind): string {
  if (value === 'nothing') return ''
  if (value === 'file') return ' -rF'
  return Array.isArray(value) ? ` -x -a ${quoted(value.join(' '))}` : ' -x'
}

function quoted(text: string): string {
  return `'${text.replace(/[\\']/g, '\\$&')}'`
}
