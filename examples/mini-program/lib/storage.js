/**
 * wx storage that never throws: it does when it is full (10 MB) or broken, and a page must not fail for that.
 *
 * @param {Pick<WechatMiniprogram.Wx, 'getStorageSync' | 'setStorageSync'>} wx
 */
function createStorage(wx) {
  return {
    /**
     * @param {string} key
     * @returns {unknown} undefined or '' when there is nothing
     */
    read(key) {
      try {
        return wx.getStorageSync(key)
      } catch {
        return undefined
      }
    },

    /**
     * @param {string} key
     * @param {unknown} value
     * @returns {boolean} whether it was stored
     */
    write(key, value) {
      try {
        wx.setStorageSync(key, value)
        return true
      } catch {
        return false
      }
    },
  }
}

/** @typedef {ReturnType<typeof createStorage>} Storage */

module.exports = { createStorage }
