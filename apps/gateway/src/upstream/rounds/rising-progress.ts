import { sliceMember } from '@patchbay/mcp-wire';
import type { Bridge } from '../bridge/bridge.ts';

/** Of a call that its server is sent again with answers: each time its progress begins anew, and what a client is told must rise (protocol.md trap 9). */
export class RisingProgress {
  #told = Number.NEGATIVE_INFINITY;

  over(bridge: Bridge): Bridge {
    return {
      ...bridge,
      notification: (bytes, message) => {
        const carried = bridge.notification(bytes, message);
        return carried === null || message.method !== 'notifications/progress' || this.#rises(carried) ? carried : null;
      },
    };
  }

  #rises(bytes: Buffer): boolean {
    const span = sliceMember(bytes, ['params', 'progress']);
    const progress = span === null ? Number.NaN : Number(bytes.toString('latin1', span.start, span.end));
    if (!(progress > this.#told)) return false;
    this.#told = progress;
    return true;
  }
}
