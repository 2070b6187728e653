/**
 * Settings that AvalancheMQ and its successor know and this server does not have, or not yet: a file that was written
 * for them is accepted, with a warning for each.
 */

/** Sections for things that are not here. */
export const unsupportedSections: ReadonlySet<string> = new Set([
  'mqtt',
  'clustering',
  'oauth',
  'experimental',
]);

/** By `section.key`, what to do instead; '' where there is nothing to say. */
export const unsupportedSettings: ReadonlyMap<string, string> = new Map([
  ...namesIn('main', [
    'auth_backends',
    'consumer_timeout',
    'consumer_timeout_loop_interval',
    'control_unix_path',
    'default_consistent_hash_algorithm',
    'default_consumer_prefetch',
    'file_buffer_size',
    'free_disk_warn',
    'gc_segments_interval',
    'load_definitions',
    'log_exchange',
    'max_deleted_definitions',
    'metrics_http_bind',
    'metrics_http_port',
    'pidfile',
    'queue_max_acks',
    'segment_size',
    'set_timestamp',
    'socket_buffer_size',
    'stats_interval',
    'stats_log_size',
    'tcp_recv_buffer_size',
    'tcp_send_buffer_size',
    'tls_keylog_file',
    'tls_ktls',
  ]),
  ['main.data_dir_lock', 'the data directory is always locked'],
  ['main.default_user_only_loopback', "'guest_only_loopback' is for the user guest"],
  ['main.sync', 'a confirm always waits for the disk'],
  ...namesIn('amqp', ['systemd_socket_name']),
  ['amqp.unix_proxy_protocol', "write unix into 'tcp_proxy_protocol'"],
  ...namesIn('mgmt', ['systemd_socket_name', 'tls_cert', 'tls_key', 'tls_port', 'unix_path']),
]);

/** Keys of `[sni:HOST]` that are not here. */
export const unsupportedServerNameKeys: ReadonlySet<string> = new Set(
  ['', 'amqp_', 'mqtt_', 'http_'].flatMap((prefix) =>
    ['ca_cert', 'cert', 'ciphers', 'key', 'keylog_file', 'min_version', 'verify_peer']
      .filter((key) => prefix !== '' || (key !== 'cert' && key !== 'key'))
      .map((key) => `${prefix}tls_${key}`),
  ),
);

function namesIn(section: string, keys: readonly string[]): readonly [string, string][] {
  return keys.map((key) => [`${section}.${key}`, '']);
}
