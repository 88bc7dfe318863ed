export async function readHooks() {}
