import { shellWord } from '../../text/shell-word.js'
import { type CommandShape, groupsIn, type OptionShape, type ValueKind, valuesOf } from './shapes.js'

/** A function for zsh's completion system; may be sourced, or be a file _pgbk in a directory of fpath. */
export function zshCompletion(shapes: CommandShape[]): string {
  const values = valuesOf(shapes)
  return `#compdef pgbk
# zsh completion for pgbk:  source <(pgbk completion zsh)
_pgbk() {
  local cur=\${words[CURRENT]} prev=\${words[CURRENT-1]} command='' skip='' word i
  local -a root flags next names
  for ((i = 2; i < CURRENT; i++)); do
    word=\${words[i]}
    if [[ -n $skip ]]; then skip=''; continue; fi
    case $word in
      --) _normal; return ;;
      -C|--root) root=(-C "\${\${(Q)words[i+1]}/#\\~/$HOME}"); skip=1 ;;
      ${values.flatMap(({ flags }) => flags).join('|')}) skip=1 ;;
      -*) ;;
      *)
        case $command in
          '') command=$word ;;
          ${groupsIn(shapes).map(shellWord).join('|')}) command="$command $word" ;;
        esac ;;
    esac
  done
  case $prev in
${values.map(valueCase).join('\n')}
  esac
  case $command in
${shapes.map(commandCase).join('\n')}
  esac
  if [[ $cur == -* ]]; then _describe -o option flags; return; fi
  (( $#next )) && _describe command next
  (( $#names )) && compadd -a names
}
_pgbk_names() {
  "\${words[1]}" completion "$@" 2>/dev/null
}
if [[ $funcstack[1] == _pgbk ]]; then _pgbk "$@"; else compdef _pgbk pgbk; fi
`
}

function valueCase({ flags, value }: OptionShape): string {
  return `    ${flags.join('|')}) ${completeValue(value)}; return ;;`
}

function completeValue(value: ValueKind): string {
  if (value === 'file') return '_files'
  return Array.isArray(value) ? `compadd ${value.join(' ')}` : ':'
}

function commandCase({ words, options, next, takes }: CommandShape): string {
  const flags = options.flatMap((option) => option.flags.map((flag) => described(flag, option.description)))
  const others = next.map(({ word, description }) => described(word, description))
  return `    ${shellWord(words)}) flags=(${flags.join(' ')}); next=(${others.join(' ')}); names=(${argumentWords(takes)}) ;;`
}

function argumentWords(takes: ValueKind): string {
  if (takes === 'backup') return `latest oldest \${(f)"$(_pgbk_names ids $root)"}`
  if (takes === 'name') return `\${(f)"$(_pgbk_names names $root)"}`
  return Array.isArray(takes) ? takes.join(' ') : ''
}

function described(word: string, description: string): string {
  return shellWord(`${word}:${description}`)
}
