export default { reactStrictMode: true, eslint: { ignoreDuringBuilds: true }, typescript: { ignoreBuildErrors: true } }
