export { Channel, type ChannelDeps } from './channel.ts';
export type { ChannelAnswer, ChannelRequest, Send } from './send.ts';
