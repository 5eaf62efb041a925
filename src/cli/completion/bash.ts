import { type CommandShape, groupsIn, type OptionShape, type ValueKind, valuesOf } from './shapes.js'

/** For bash 4 and newer; needs no bash-completion. */
export function bashCompletion(shapes: CommandShape[]): string {
  const values = valuesOf(shapes)
  return `# bash completion for pgbk:  source <(pgbk completion bash)
_pgbk() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} command='' words='' skip='' word i
  local quotes=$'\\\\\\\\"\\x27'
  local -a root=()
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    if [[ -n $skip ]]; then skip=''; continue; fi
    case $word in
      --) compopt -o default; return ;;
      -C|--root) word=\${COMP_WORDS[i+1]//[$quotes]/}; root=(-C "\${word/#\\~/$HOME}"); skip=1 ;;
      ${flagsOf(values)}) skip=1 ;;
      -*) ;;
      *)
        case $command in
          '') command=$word ;;
          ${groupsIn(shapes).join('|')}) command="$command $word" ;;
        esac ;;
    esac
  done
  case $prev in
${values.map(valueCase).join('\n')}
  esac
  case $command in
${shapes.map(commandCase).join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
_pgbk_names() {
  "\${COMP_WORDS[0]}" completion "$@" 2>/dev/null
}
complete -F _pgbk pgbk
`
}

function flagsOf(options: OptionShape[]): string {
  return options.flatMap(({ flags }) => flags).join('|')
}

function valueCase({ flags, value }: OptionShape): string {
  return `    ${flags.join('|')}) ${completeValue(value)}; return ;;`
}

function completeValue(value: ValueKind): string {
  if (value === 'file') return 'compopt -o default'
  return Array.isArray(value) ? `COMPREPLY=($(compgen -W '${value.join(' ')}' -- "$cur"))` : ':'
}

function commandCase({ words, options, next, takes }: CommandShape): string {
  const flags = options.flatMap((option) => option.flags).join(' ')
  const others = next.map(({ word }) => word).join(' ')
  return `    '${words}') if [[ $cur == -* ]]; then words='${flags}'; else words="${argumentWords(takes, others)}"; fi ;;`
}

function argumentWords(takes: ValueKind, others: string): string {
  if (takes === 'backup') return `latest oldest $(_pgbk_names ids "\${root[@]}")`
  if (takes === 'name') return `$(_pgbk_names names "\${root[@]}")`
  return Array.isArray(takes) ? takes.join(' ') : others
}
