import type { Call, CommandSpec, Outcome } from '../call/command-spec.js'

const shells = ['bash', 'zsh', 'fish']
/** What the scripts themselves ask for. */
const lists = ['ids', 'names']

export const completion: CommandSpec = {
  name: 'completion',
  description: 'print a script by which a shell completes commands',
  declare: (command) => command.argument('<shell>', 'bash, zsh or fish'),
  faultOf: ({ ids: [wanted = ''], globals, words }) => {
    if (words) return 'completion takes no COMMAND after --'
    if (![...shells, ...lists].includes(wanted))
      return `${JSON.stringify(wanted)} is not a shell that pgbk knows`
    return globals.json ? 'completion prints a script: --json cannot be used' : undefined
  },
  standIn: ({ ids: [wanted = ''], settings: { root } }) =>
    lists.includes(wanted) ? { as: 'owner', root } : undefined,
  async run(call) {
    const { ids, settings } = call
    if (!lists.includes(ids[0] ?? '')) return script(call)
    const { completionNames } = await import('../completion/completion-names.js')
    const names = completionNames(ids[0] === 'ids' ? 'ids' : 'names', settings.root)
    return printed(names.map((name) => `${name}\n`).join(''))
  },
  async runWithout(_fault, call) {
    return lists.includes(call.ids[0] ?? '') ? printed('') : script(call)
  },
  help: `
The script knows all commands and options, and asks pgbk for the backups and
instances of the root that the command line names.

Examples:
  source <(pgbk completion bash)            in ~/.bashrc
  source <(pgbk completion zsh)             in ~/.zshrc, after compinit
  pgbk completion fish > ~/.config/fish/completions/pgbk.fish
`,
}

async function script({ ids: [shell], program }: Pick<Call, 'ids' | 'program'>): Promise<Outcome> {
  const { shapesOf } = await import('../completion/shapes.js')
  const shapes = shapesOf(program)
  if (shell === 'bash') return printed((await import('../completion/bash.js')).bashCompletion(shapes))
  if (shell === 'zsh') return printed((await import('../completion/zsh.js')).zshCompletion(shapes))
  return printed((await import('../completion/fish.js')).fishCompletion(shapes))
}

function printed(text: string): Outcome {
  return { json: () => ({}), text: () => text }
}
