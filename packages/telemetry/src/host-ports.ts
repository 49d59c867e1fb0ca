const PORT_MAX = 65_535;

/** Reads `host:port`, comma-separated; IPv6 as `[::1]:8080`. Throws an Error that says which item is none. */
export function parseHostPorts(value: string): { host: string; port: number }[] {
  const items = value.split(',').map((item) => item.trim());
  return items
    .filter((item) => item !== '')
    .map((item) => {
      const [, host = '', port = ''] = /^(\[[0-9a-fA-F:.]+\]|[^:[\]]+):(\d{1,5})$/.exec(item) ?? [];
      if (host === '' || Number(port) < 1 || Number(port) > PORT_MAX) throw new Error(`must list host:port; ${item} is none`);
      return { host: host.replace(/^\[|\]$/g, ''), port: Number(port) };
    });
}
