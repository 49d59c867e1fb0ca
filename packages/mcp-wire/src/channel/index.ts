export { Channel, type ChannelDeps } from './channel.ts';
export { readWhole } from './read-answer.ts';
export type { ChannelAnswer, ChannelRequest, Send } from './send.ts';
