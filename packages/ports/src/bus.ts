/** What a message is about; a program hears only the topics it subscribed to. `pods`: from gateways to control planes. `sessions`, `mailboxes`: among gateways. */
export type Topic = 'revisions' | 'pods' | 'sessions' | 'mailboxes';

/**
 * Tells every program at once that something changed. A carrier, not an authority: messages are signed by the control
 * plane (or authenticated by the pod that sends them) and may be lost, repeated or reordered; readers compare revisions every 10 s. At most 7,900 bytes a message.
 */
export interface Bus {
  publish(topic: Topic, message: string): Promise<void>;
  /** Calls `onMessage` for each message of the topic from now on; `onGap` after each (re)connection, when messages may have been missed. */
  subscribe(topic: Topic, listener: { onMessage(message: string): void; onGap(): void }): Promise<{ close(): Promise<void> }>;
  /** Whether messages arrive at present: false before the first subscription and while a lost connection comes back. */
  isListening(): boolean;
  close(): Promise<void>;
}
