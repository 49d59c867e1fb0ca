/**
 * Tells every program at once that something changed. A carrier, not an authority: messages are signed by the control
 * plane and may be lost, repeated or reordered; readers compare revisions every 10 s. At most 7,900 bytes a message.
 */
export interface Bus {
  publish(message: string): Promise<void>;
  /** Calls `onMessage` for each message from now on; `onGap` after each (re)connection, when messages may have been missed. */
  subscribe(listener: { onMessage(message: string): void; onGap(): void }): Promise<{ close(): Promise<void> }>;
  close(): Promise<void>;
}
