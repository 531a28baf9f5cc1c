/**
 * What aircompressor's jar does not say of itself: jlink takes only modules with a descriptor. The name is that which Java
 * derives from the jar's name, and all packages are exported, as they are without a descriptor: what works in a checkout
 * works in the package.
 */
@SuppressWarnings("module")
module aircompressor.v3 {
    requires jdk.unsupported;

    exports io.airlift.compress.v3;
    exports io.airlift.compress.v3.bzip2;
    exports io.airlift.compress.v3.deflate;
    exports io.airlift.compress.v3.gzip;
    exports io.airlift.compress.v3.hadoop;
    exports io.airlift.compress.v3.internal;
    exports io.airlift.compress.v3.lz4;
    exports io.airlift.compress.v3.lzo;
    exports io.airlift.compress.v3.snappy;
    exports io.airlift.compress.v3.xxhash;
    exports io.airlift.compress.v3.zstd;
}
