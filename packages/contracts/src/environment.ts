/**
 * The environment each program reads, by one name everywhere. Secrets travel as files (security.md §3): a variable
 * ending in _FILE names one. Every program refuses to start on a missing or malformed value, naming the variable.
 */
export const ENV = {
  // every program
  home: 'PATCHBAY_HOME',
  /** When `1`, the program ends in order as soon as its stdin closes: its supervisor is gone. */
  exitWithParent: 'PATCHBAY_EXIT_WITH_PARENT',
  logLevel: 'PATCHBAY_LOG_LEVEL',
  // listening: loopback unless one of these says otherwise
  /** The address of the listener that people and agents use: a gateway's for MCP, a control plane's API. */
  listen: 'PATCHBAY_LISTEN',
  /** The address of the listener that our programs use: a control plane's internal one, a stdio host's. */
  internalListen: 'PATCHBAY_INTERNAL_LISTEN',
  /** The address of a gateway's listener for operators. */
  adminListen: 'PATCHBAY_ADMIN_LISTEN',
  /** What every listener off loopback presents; read again when the files change. */
  tlsCertFile: 'PATCHBAY_TLS_CERT_FILE',
  tlsKeyFile: 'PATCHBAY_TLS_KEY_FILE',
  /** Ranges (CIDR, comma-separated) of the proxies whose forwarded headers are believed. */
  trustedProxies: 'PATCHBAY_TRUSTED_PROXIES',
  /** What `/metrics` asks for as a bearer; needed off loopback. */
  metricsTokenFile: 'PATCHBAY_METRICS_TOKEN_FILE',
  /** The authorities (PEM) by which our programs know each other over TLS. */
  internalCaFile: 'PATCHBAY_INTERNAL_CA_FILE',
  // control plane
  apiPort: 'PATCHBAY_API_PORT',
  internalPort: 'PATCHBAY_INTERNAL_PORT',
  databaseUrlFile: 'PATCHBAY_DATABASE_URL_FILE',
  /** The same, said directly. */
  databaseUrl: 'DATABASE_URL',
  /** Owner of the schema; read by the migrate program only. */
  ownerDatabaseUrlFile: 'PATCHBAY_OWNER_DATABASE_URL_FILE',
  /** The same, said directly. */
  ownerDatabaseUrl: 'PATCHBAY_OWNER_DATABASE_URL',
  /** Of somebody who may make roles and databases; read by `npm run keys` only. */
  adminDatabaseUrlFile: 'PATCHBAY_ADMIN_DATABASE_URL_FILE',
  /** The same, said directly. */
  adminDatabaseUrl: 'PATCHBAY_ADMIN_DATABASE_URL',
  masterKeyFile: 'PATCHBAY_MASTER_KEY_FILE',
  snapshotSigningKeyFile: 'PATCHBAY_SNAPSHOT_SIGNING_KEY_FILE',
  stdio: 'PATCHBAY_STDIO',
  egressAllow: 'PATCHBAY_EGRESS_ALLOW',
  /** Milliseconds between two scheduled looks at what a server offers, and between two rounds of maintenance. */
  discoveryEveryMs: 'PATCHBAY_DISCOVERY_EVERY_MS',
  /** Absolute paths of the example servers' entries; read by the first-start program only. */
  exampleEverything: 'PATCHBAY_EXAMPLE_EVERYTHING',
  exampleMemory: 'PATCHBAY_EXAMPLE_MEMORY',
  // gateway
  gatewayPort: 'PATCHBAY_GATEWAY_PORT',
  adminPort: 'PATCHBAY_ADMIN_PORT',
  /** How many processes of one gateway share its port; the admin ports are this many, from the one that is set. */
  gatewayWorkers: 'PATCHBAY_GATEWAY_WORKERS',
  /** Embedded ports: role that may LISTEN, NOTIFY and touch the port tables, and owns nothing. */
  portsDatabaseUrlFile: 'PATCHBAY_PORTS_DATABASE_URL_FILE',
  /** The same, said directly. */
  portsDatabaseUrl: 'PATCHBAY_PORTS_DATABASE_URL',
  /** One or two PEM public keys, concatenated. */
  snapshotPublicKeyFile: 'PATCHBAY_SNAPSHOT_PUBLIC_KEY_FILE',
  sessionSealingKeyFile: 'PATCHBAY_SESSION_SEALING_KEY_FILE',
  bodyLimitBytes: 'PATCHBAY_BODY_LIMIT_BYTES',
  /** How long calls in flight may take to end once the gateway or the stdio host was told to stop. */
  drainMs: 'PATCHBAY_DRAIN_MS',
  /** How long a gateway or control plane that was told to stop says so to its balancer, and answers as before. */
  drainAnnounceMs: 'PATCHBAY_DRAIN_ANNOUNCE_MS',
  /** How long a pod serves without news from control plane or stores; default 5 minutes. */
  stalenessBudgetMs: 'PATCHBAY_STALENESS_BUDGET_MS',
  // shared by several
  /** The stores of scaled mode; without it they are tables of Postgres (embedded mode). */
  redisUrlFile: 'PATCHBAY_REDIS_URL_FILE',
  /** The same, said directly. */
  redisUrl: 'REDIS_URL',
  tokenTagKeyFile: 'PATCHBAY_TOKEN_TAG_KEY_FILE',
  /** One, or several that serve alike, comma-separated. */
  controlPlaneInternalUrl: 'PATCHBAY_CONTROL_PLANE_INTERNAL_URL',
  gatewaySecretFile: 'PATCHBAY_GATEWAY_SECRET_FILE',
  /** One or several, comma-separated. */
  stdioHostUrl: 'PATCHBAY_STDIO_HOST_URL',
  /** What callers of the stdio host present. */
  toStdioHostSecretFile: 'PATCHBAY_TO_STDIO_HOST_SECRET_FILE',
  /** What the stdio host presents to the control plane. */
  stdioHostSecretFile: 'PATCHBAY_STDIO_HOST_SECRET_FILE',
  /** How clients reach the gateway and people the API; beside loopback the only `Host` and `Origin` that these listeners answer to. */
  gatewayUrl: 'PATCHBAY_GATEWAY_URL',
  apiUrl: 'PATCHBAY_API_URL',
  /** Addresses (host:port, comma-separated) no upstream may be: our own listeners and stores. */
  refusedAddresses: 'PATCHBAY_REFUSED_ADDRESSES',
  // stdio host
  stdioHostPort: 'PATCHBAY_STDIO_HOST_PORT',
  stdioProcessesMax: 'PATCHBAY_STDIO_PROCESSES_MAX',
  stdioIdleMs: 'PATCHBAY_STDIO_IDLE_MS',
  stdioLifetimeMs: 'PATCHBAY_STDIO_LIFETIME_MS',
  stdioStartMs: 'PATCHBAY_STDIO_START_MS',
  stdioMemoryMb: 'PATCHBAY_STDIO_MEMORY_MB',
  stdioDiskMb: 'PATCHBAY_STDIO_DISK_MB',
  stdioTasksMax: 'PATCHBAY_STDIO_TASKS_MAX',
  stdioOpenFilesMax: 'PATCHBAY_STDIO_OPEN_FILES_MAX',
  stdioCpuPercent: 'PATCHBAY_STDIO_CPU_PERCENT',
  // patchbay connect
  tokenFile: 'PATCHBAY_TOKEN_FILE',
  /** The same, said directly. */
  token: 'PATCHBAY_TOKEN',
} as const;

/** So many processes may share a gateway's port. */
export const GATEWAY_WORKERS_MAX = 64;

/** Files in `PATCHBAY_HOME/keys` (0700; each 0600), made at first start. docs/architecture/trust-boundaries.md tells each one's story. */
export const KEY_FILES = {
  master: 'master.key',
  snapshotSigning: 'snapshot-signing.pem',
  snapshotPublic: 'snapshot-signing.pub.pem',
  tokenTag: 'token-tag.key',
  sessionSealing: 'session-sealing.key',
  gatewaySecret: 'gateway.secret',
  stdioHostSecret: 'stdio-host.secret',
  toStdioHostSecret: 'to-stdio-host.secret',
  databaseUrl: 'database.url',
  ownerDatabaseUrl: 'owner-database.url',
  portsDatabaseUrl: 'ports-database.url',
  /** Of the embedded cluster; the supervisor alone reads it. */
  superuserPassword: 'postgres-superuser.secret',
} as const;

/** Which of these files each program that serves is given, by the variable that names the file. Stores' addresses come beside them. */
export const PROGRAM_KEYS = {
  controlPlane: {
    [ENV.masterKeyFile]: KEY_FILES.master,
    [ENV.snapshotSigningKeyFile]: KEY_FILES.snapshotSigning,
    [ENV.tokenTagKeyFile]: KEY_FILES.tokenTag,
    [ENV.gatewaySecretFile]: KEY_FILES.gatewaySecret,
    [ENV.stdioHostSecretFile]: KEY_FILES.stdioHostSecret,
    [ENV.toStdioHostSecretFile]: KEY_FILES.toStdioHostSecret,
  },
  gateway: {
    [ENV.snapshotPublicKeyFile]: KEY_FILES.snapshotPublic,
    [ENV.sessionSealingKeyFile]: KEY_FILES.sessionSealing,
    [ENV.tokenTagKeyFile]: KEY_FILES.tokenTag,
    [ENV.gatewaySecretFile]: KEY_FILES.gatewaySecret,
    [ENV.toStdioHostSecretFile]: KEY_FILES.toStdioHostSecret,
  },
  stdioHost: {
    [ENV.toStdioHostSecretFile]: KEY_FILES.toStdioHostSecret,
    [ENV.stdioHostSecretFile]: KEY_FILES.stdioHostSecret,
  },
} as const;

/** Symmetric keys (*.key) are 32 random bytes in base64url; secrets (*.secret) likewise, used as text. */
export const KEY_BYTES = 32;
