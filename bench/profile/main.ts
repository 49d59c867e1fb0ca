import { parseArgs } from 'node:util';
import { profileCall } from './profile-call.ts';

// `node_modules/.bin/node bench/profile/main.ts --subject 'own endpoint' --folder FOLDER`: what a gateway's time goes to under that load.
const { values } = parseArgs({
  options: { subject: { type: 'string', default: 'own endpoint' }, folder: { type: 'string', default: '.cache/profiles' } },
});
const say = (line: string): void => void process.stderr.write(`${line}\n`);

for (const { share, where } of await profileCall(values.subject, values.folder, say))
  process.stdout.write(`${(share * 100).toFixed(1).padStart(5)} %  ${where}\n`);
